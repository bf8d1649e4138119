// Turns a request frame into the chunks of its answer: decodes the header, checks the version,
// finds the handler, decodes the request, passes it through the gate, runs the handler, encodes the
// response. Holds the table of the APIs that this broker serves, from which ApiVersions is
// answered. Known APIs that are not served are answered with an error (refusedRequests.ts).
// Invariant: no handler runs before the gate.

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import type { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { apiVersions } from '../../../protocol/kafka/apis/apiVersions.ts'
import {
  decodeRequest,
  decodeRequestHeader,
  encodeResponse,
  type RequestHeader,
} from '../../../protocol/kafka/frame.ts'
import { assert } from '../../../protocol/runtime/assert.ts'
import type { RequestRecord } from '../figures/requestFigures.ts'
import { type ApiAccess, apiAccess } from '../gate/apiAccess.ts'
import { addOffsetsToTxnHandler } from '../handlers/addOffsetsToTxn.ts'
import { addPartitionsToTxnHandler } from '../handlers/addPartitionsToTxn.ts'
import { alterConfigsHandler } from '../handlers/alterConfigs.ts'
import { alterPartitionReassignmentsHandler } from '../handlers/alterPartitionReassignments.ts'
import { apiVersionsHandler, unsupportedApiVersions } from '../handlers/apiVersions.ts'
import { consumerGroupDescribeHandler } from '../handlers/consumerGroupDescribe.ts'
import { consumerGroupHeartbeatHandler } from '../handlers/consumerGroupHeartbeat.ts'
import { createAclsHandler } from '../handlers/createAcls.ts'
import { createPartitionsHandler } from '../handlers/createPartitions.ts'
import { createTopicsHandler } from '../handlers/createTopics.ts'
import { deleteAclsHandler } from '../handlers/deleteAcls.ts'
import { deleteGroupsHandler } from '../handlers/deleteGroups.ts'
import { deleteRecordsHandler } from '../handlers/deleteRecords.ts'
import { deleteTopicsHandler } from '../handlers/deleteTopics.ts'
import { describeAclsHandler } from '../handlers/describeAcls.ts'
import { describeClientQuotasHandler } from '../handlers/describeClientQuotas.ts'
import { describeClusterHandler } from '../handlers/describeCluster.ts'
import { describeConfigsHandler } from '../handlers/describeConfigs.ts'
import { describeGroupsHandler } from '../handlers/describeGroups.ts'
import { describeLogDirsHandler } from '../handlers/describeLogDirs.ts'
import { describeProducersHandler } from '../handlers/describeProducers.ts'
import { describeTopicPartitionsHandler } from '../handlers/describeTopicPartitions.ts'
import { describeTransactionsHandler } from '../handlers/describeTransactions.ts'
import { describeUserScramCredentialsHandler } from '../handlers/describeUserScramCredentials.ts'
import { electLeadersHandler } from '../handlers/electLeaders.ts'
import { endTxnHandler } from '../handlers/endTxn.ts'
import { fetchHandler } from '../handlers/fetch.ts'
import { findCoordinatorHandler } from '../handlers/findCoordinator.ts'
import { heartbeatHandler } from '../handlers/heartbeat.ts'
import { incrementalAlterConfigsHandler } from '../handlers/incrementalAlterConfigs.ts'
import { initProducerIdHandler } from '../handlers/initProducerId.ts'
import { joinGroupHandler } from '../handlers/joinGroup.ts'
import { leaveGroupHandler } from '../handlers/leaveGroup.ts'
import { listConfigResourcesHandler } from '../handlers/listConfigResources.ts'
import { listGroupsHandler } from '../handlers/listGroups.ts'
import { listOffsetsHandler } from '../handlers/listOffsets.ts'
import { listPartitionReassignmentsHandler } from '../handlers/listPartitionReassignments.ts'
import { listTransactionsHandler } from '../handlers/listTransactions.ts'
import { metadataHandler } from '../handlers/metadata.ts'
import { offsetCommitHandler } from '../handlers/offsetCommit.ts'
import { offsetDeleteHandler } from '../handlers/offsetDelete.ts'
import { offsetFetchHandler } from '../handlers/offsetFetch.ts'
import { offsetForLeaderEpochHandler } from '../handlers/offsetForLeaderEpoch.ts'
import { produceHandler } from '../handlers/produce.ts'
import { saslAuthenticateHandler } from '../handlers/saslAuthenticate.ts'
import { saslHandshakeHandler } from '../handlers/saslHandshake.ts'
import { syncGroupHandler } from '../handlers/syncGroup.ts'
import { txnOffsetCommitHandler } from '../handlers/txnOffsetCommit.ts'
import { updateFeaturesHandler } from '../handlers/updateFeatures.ts'
import { writeTxnMarkersHandler } from '../handlers/writeTxnMarkers.ts'
import { type Handler, noResponse } from '../request/handler.ts'
import type { ConnectionContext, RequestContext } from '../request/requestContext.ts'
import { refusedHandlers } from './refusedRequests.ts'

const served: readonly Handler[] = [
  produceHandler,
  fetchHandler,
  listOffsetsHandler,
  metadataHandler,
  offsetCommitHandler,
  offsetFetchHandler,
  findCoordinatorHandler,
  joinGroupHandler,
  heartbeatHandler,
  leaveGroupHandler,
  syncGroupHandler,
  describeGroupsHandler,
  listGroupsHandler,
  createTopicsHandler,
  deleteTopicsHandler,
  initProducerIdHandler,
  describeConfigsHandler,
  alterConfigsHandler,
  incrementalAlterConfigsHandler,
  listConfigResourcesHandler,
  createPartitionsHandler,
  deleteGroupsHandler,
  describeClusterHandler,
  offsetDeleteHandler,
  deleteRecordsHandler,
  saslHandshakeHandler,
  offsetForLeaderEpochHandler,
  describeAclsHandler,
  createAclsHandler,
  deleteAclsHandler,
  saslAuthenticateHandler,
  electLeadersHandler,
  alterPartitionReassignmentsHandler,
  listPartitionReassignmentsHandler,
  describeClientQuotasHandler,
  describeUserScramCredentialsHandler,
  describeLogDirsHandler,
  describeTopicPartitionsHandler,
  addPartitionsToTxnHandler,
  addOffsetsToTxnHandler,
  endTxnHandler,
  writeTxnMarkersHandler,
  txnOffsetCommitHandler,
  describeProducersHandler,
  describeTransactionsHandler,
  listTransactionsHandler,
  consumerGroupHeartbeatHandler,
  consumerGroupDescribeHandler,
  updateFeaturesHandler,
]

/** Every API that this broker serves and lists in ApiVersions. */
export const servedApis = [...served.map(({ api }) => api), apiVersions]

/**
 * Handlers of descriptions, whose responses can be long. They wait while the memory for answers is
 * exhausted because clients leave answers unread. Requests that clients need for their work are
 * answered at once.
 */
const longAnswers: ReadonlySet<Handler> = new Set([
  metadataHandler,
  offsetFetchHandler,
  createTopicsHandler,
  describeConfigsHandler,
  describeGroupsHandler,
  consumerGroupDescribeHandler,
  describeLogDirsHandler,
  describeProducersHandler,
  describeTopicPartitionsHandler,
  describeTransactionsHandler,
  listConfigResourcesHandler,
  listGroupsHandler,
  listTransactionsHandler,
])

/** An API in the table: its handler, and what it needs from the authorizer. */
interface Entry extends Handler {
  readonly access: ApiAccess
  readonly isServed: boolean
  readonly isLongAnswer: boolean
}

/** The table, by API key. */
const entries: ReadonlyMap<number, Entry> = new Map(
  [
    ...[...served, apiVersionsHandler(servedApis)].map(servedEntry),
    ...refusedHandlers.map(refusedEntry),
  ].map((entry) => [entry.api.key, entry]),
)

function servedEntry(handler: Handler): Entry {
  const access = apiAccess.find(({ api }) => api.key === handler.api.key)
  assert(
    access !== undefined,
    `${handler.api.name} is served, so its access is declared in apiAccess.ts`,
  )
  return { ...handler, access, isServed: true, isLongAnswer: longAnswers.has(handler) }
}

/** Refusals need no authorization: they are the same for all clients and disclose nothing. */
function refusedEntry(handler: Handler): Entry {
  const access = { api: handler.api, requirements: [] }
  return { ...handler, access, isServed: false, isLongAnswer: false }
}

/** The chunks of one response frame; undefined when the request gets no response. */
export type Answer = readonly Uint8Array[] | undefined

/**
 * Starts handling a request. When this returns, everything that the handler does before its first
 * await has happened, so that frames dispatched in order reach the log in order. Throws, or rejects
 * with, a MalformedError or an AccessDeniedError when the client must be disconnected. Throws a
 * TooCostlyError, without having done anything, when decoding would exceed the allowance.
 */
export function dispatch(
  frame: Buffer,
  allowance: MemoryAllowance,
  connection: ConnectionContext,
  record: RequestRecord,
): Answer | Promise<Answer> {
  const reader = new ByteReader(frame, 0, frame.length, allowance)
  const header = decodeRequestHeader(reader)
  const { apiKey, apiVersion, correlationId } = header
  const entry = entries.get(apiKey)
  if (!entry) throw new MalformedError(`unknown API key ${apiKey}`)
  const { api } = entry
  const { access, broker } = connection
  const { gate, testHooks } = broker
  const figures = broker.requestFigures.of(api)
  record.figures = figures
  if (apiVersion < api.advertisedMinVersion || apiVersion > api.maxVersion) {
    return refuseVersion(entry, header)
  }
  const request = decodeRequest(api, apiVersion, reader)
  if (reader.remaining > 0 && entry.isServed) {
    broker.followedRequests.note(api, apiVersion, reader.remaining, header.clientId)
  }
  gate.admit(entry.access, request, access)
  const context = { ...connection, apiVersion, clientId: header.clientId ?? '', record }
  const outcome =
    testHooks === undefined
      ? handle(entry, request, context)
      : testHooks.handle(api, request, context, (asked) => handle(entry, asked, context))
  const encode = (response: unknown): Answer => {
    if (response === noResponse) return undefined
    figures.responded(response)
    const body = gate.throttled(api, response, access, context.clientId)
    return encodeResponse(api, apiVersion, correlationId, body)
  }
  return outcome instanceof Promise ? outcome.then(encode) : encode(outcome)
}

function handle(entry: Entry, request: unknown, context: RequestContext): unknown {
  return entry.isLongAnswer && context.answerMemory.isScarce
    ? handleWhenThereIsRoom(entry, request, context)
    : entry.handle(request, context)
}

async function handleWhenThereIsRoom(
  entry: Entry,
  request: unknown,
  context: RequestContext,
): Promise<unknown> {
  await context.answerMemory.reserve(0)
  return context.stopWaiting.aborted ? noResponse : entry.handle(request, context)
}

/**
 * Refuses a version. ApiVersions is answered in any version, because a client cannot know which are
 * served (KIP-511).
 */
function refuseVersion({ api }: Handler, header: RequestHeader): Answer {
  if (api.key === apiVersions.key) {
    return encodeResponse(apiVersions, 0, header.correlationId, unsupportedApiVersions)
  }
  throw new MalformedError(
    `${api.name} version ${header.apiVersion} is not supported; this broker serves ${api.minVersion} to ${api.maxVersion}`,
  )
}
