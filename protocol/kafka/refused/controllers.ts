// Refused APIs between Kafka's brokers and controllers. Kafka's brokers do not answer them on
// client listeners either; a broker configured with this address by mistake gets an error.

import { emptyList, type RefusedApi, refusedWhole } from '../refusedApi.ts'
import { bool, bytes, int16, int32, int64, string } from '../schema/fields.ts'

const throttleTimeMs = int32('0+')
const errorCode = int16('0+')
const topics = emptyList

const vote = refusedWhole({
  key: 52,
  name: 'Vote',
  versions: '0-2',
  flexibleFrom: 0,
  response: { errorCode, topics },
})

const beginQuorumEpoch = refusedWhole({
  key: 53,
  name: 'BeginQuorumEpoch',
  versions: '0-1',
  flexibleFrom: 1,
  response: { errorCode, topics },
})

const endQuorumEpoch = refusedWhole({
  key: 54,
  name: 'EndQuorumEpoch',
  versions: '0-1',
  flexibleFrom: 1,
  response: { errorCode, topics },
})

const alterPartition = refusedWhole({
  key: 56,
  name: 'AlterPartition',
  versions: '2-3',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, topics },
})

const envelope = refusedWhole({
  key: 58,
  name: 'Envelope',
  versions: '0',
  flexibleFrom: 0,
  response: { responseData: bytes('0+', { nullable: '0+', default: null }), errorCode },
})

const fetchSnapshot = refusedWhole({
  key: 59,
  name: 'FetchSnapshot',
  versions: '0-1',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, topics },
})

const brokerRegistration = refusedWhole({
  key: 62,
  name: 'BrokerRegistration',
  versions: '0-4',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, brokerEpoch: int64('0+', { default: -1 }) },
})

const brokerHeartbeat = refusedWhole({
  key: 63,
  name: 'BrokerHeartbeat',
  versions: '0-2',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    isCaughtUp: bool('0+'),
    isFenced: bool('0+', { default: true }),
    shouldShutDown: bool('0+'),
  },
})

const allocateProducerIds = refusedWhole({
  key: 67,
  name: 'AllocateProducerIds',
  versions: '0',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    producerIdStart: int64('0+', { default: -1 }),
    producerIdLen: int32('0+'),
  },
})

const controllerRegistration = refusedWhole({
  key: 70,
  name: 'ControllerRegistration',
  versions: '0',
  flexibleFrom: 0,
  response: {
    throttleTimeMs,
    errorCode,
    errorMessage: string('0+', { nullable: '0+', default: null }),
  },
})

const assignReplicasToDirs = refusedWhole({
  key: 73,
  name: 'AssignReplicasToDirs',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode, directories: emptyList },
})

const updateRaftVoter = refusedWhole({
  key: 82,
  name: 'UpdateRaftVoter',
  versions: '0',
  flexibleFrom: 0,
  response: { throttleTimeMs, errorCode },
})

export const controllerApis: readonly RefusedApi[] = [
  vote,
  beginQuorumEpoch,
  endQuorumEpoch,
  alterPartition,
  envelope,
  fetchSnapshot,
  brokerRegistration,
  brokerHeartbeat,
  allocateProducerIds,
  controllerRegistration,
  assignReplicasToDirs,
  updateRaftVoter,
]
