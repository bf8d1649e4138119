// kafka-python observes what it observed with Kafka.

import { describe } from 'vitest'
import { hasTool } from '../tools.ts'
import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

describe.runIf(hasTool('python3-kafka'))('python', () => sameAsKafka(scenariosOf('python')))
