// Like skippingWindow.ts, with a dead letter topic.

import { badWindow } from './badWindow.ts'

export default badWindow({ deadLetter: 'dead-words' })
