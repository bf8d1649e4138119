// kafkajs, which uses the old versions of every API, observes what it observed with Kafka.

import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

sameAsKafka(scenariosOf('kafkajs'))
