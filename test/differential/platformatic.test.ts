// @platformatic/kafka, which uses the new versions, observes what it observed with Kafka.

import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

sameAsKafka(scenariosOf('platformatic'))
