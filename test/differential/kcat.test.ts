// librdkafka, through kcat, sees what it saw with Kafka.

import { describe } from 'vitest'
import { hasTool } from '../tools.ts'
import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

describe.runIf(hasTool('kcat'))('kcat', () => sameAsKafka(scenariosOf('kcat')))
