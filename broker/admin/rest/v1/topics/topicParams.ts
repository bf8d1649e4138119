// Path parameters for a topic and a partition.

import { Type } from 'typebox'

const topic = Type.String({
  minLength: 1,
  maxLength: 249,
  pattern: '^[a-zA-Z0-9._-]+$',
  description: 'Name of the topic.',
  examples: ['orders'],
})

export const topicParams = Type.Object({ topic })

export const partitionParams = Type.Object({
  topic,
  partition: Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }),
})
