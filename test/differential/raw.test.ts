// Single requests, encoded by our own codecs, get the answers of Kafka.

import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

sameAsKafka(scenariosOf('raw'))
