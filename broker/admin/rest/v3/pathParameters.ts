// Path parameters. Clients percent-encode names.

import { Type } from 'typebox'

export const clusterPath = {
  cluster_id: Type.String({ description: 'Id of the cluster, from GET /v3/clusters.' }),
}
export const topicPath = {
  ...clusterPath,
  topic_name: Type.String({ description: 'Name of the topic.' }),
}
export const partitionPath = {
  ...topicPath,
  partition_id: Type.Integer({
    minimum: 0,
    maximum: 2_147_483_647,
    description: 'Number of the partition, starting at 0.',
  }),
}
export const brokerId = Type.Integer({
  minimum: 0,
  maximum: 2_147_483_647,
  description: 'Id of the broker.',
})
export const brokerPath = { ...clusterPath, broker_id: brokerId }
export const groupPath = {
  ...clusterPath,
  consumer_group_id: Type.String({ description: 'Id of the consumer group.' }),
}
export const consumerPath = {
  ...groupPath,
  consumer_id: Type.String({ description: 'Id of the member, as assigned by its coordinator.' }),
}
export const configName = {
  name: Type.String({ description: 'Name of the configuration, such as retention.ms.' }),
}
