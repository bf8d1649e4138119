// Requests one by one, by our own codecs: answered as Kafka answered them.

import { sameAsKafka } from './sameAsKafka.ts'
import { scenariosOf } from './scenarios.ts'

sameAsKafka(scenariosOf('raw'))
