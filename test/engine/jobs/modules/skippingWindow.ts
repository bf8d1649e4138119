// Counts words of the last minutes, and skips words that fail.

import { badWindow } from './badWindow.ts'

export default badWindow('skip')
