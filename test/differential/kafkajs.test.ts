// kafkajs, which speaks the old versions of every API, sees what it saw with Kafka.

import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

sameAsKafka(scenariosOf('kafkajs'))
