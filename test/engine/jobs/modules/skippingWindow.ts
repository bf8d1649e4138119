// Counts words of the last minutes, but for those that it cannot take.

import { badWindow } from './badWindow.ts'

export default badWindow('skip')
