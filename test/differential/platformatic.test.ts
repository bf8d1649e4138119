// @platformatic/kafka, which speaks the new versions, sees what it saw with Kafka.

import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

sameAsKafka(scenariosOf('platformatic'))
