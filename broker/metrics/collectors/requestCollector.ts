// Exposes the counters of requests and of fetch sessions.

import { errorName } from '../../../protocol/kafka/errors.ts'
import type { Distribution } from '../../../protocol/telemetry/metrics/distribution.ts'
import { labelText } from '../../../protocol/telemetry/metrics/metrics.ts'
import type { ReplicaManager } from '../../replication/replicaManager.ts'
import type { BrokerServer } from '../../server/brokerServer.ts'
import type { FetchSessions } from '../../server/fetch/fetchSessions.ts'
import type { FollowedRequests } from '../../server/figures/followedRequests.ts'
import type { ApiFigures, RequestFigures } from '../../server/figures/requestFigures.ts'
import type { TransactionalAppends } from '../../server/transactions/transactionalAppends.ts'
import { requestMetrics } from '../table/requests.ts'
import { type Collectors, LabelTexts } from './collectors.ts'

export interface RequestSources {
  readonly requestFigures: RequestFigures
  readonly followedRequests: FollowedRequests
  readonly fetchSessions: FetchSessions
  readonly server: Pick<BrokerServer, 'connections'>
  readonly replicas: Pick<ReplicaManager, 'waitingAppends'>
  readonly transactionalAppends: Pick<TransactionalAppends, 'waiting'>
}

const phases = ['queue', 'local', 'wait', 'send'] as const

export function collectRequests(collectors: Collectors, sources: RequestSources): void {
  const { requestFigures, followedRequests, fetchSessions, server } = sources
  const { replicas, transactionalAppends } = sources
  const spec = requestMetrics
  const ofApi = new LabelTexts((api) => labelText({ api }))
  const total = (
    metric: (typeof spec)['requests' | 'requestBytes' | 'responseBytes'],
    read: (figures: ApiFigures) => number,
  ) =>
    collectors.samples(metric, (sample) => {
      for (const figures of requestFigures.all()) sample(ofApi.of(figures.name), read(figures))
    })
  total(spec.requests, ({ requests }) => requests)
  total(spec.requestBytes, ({ requestBytes }) => requestBytes)
  total(spec.responseBytes, ({ responseBytes }) => responseBytes)
  collectors.samples(spec.errors, (sample) => {
    for (const { name: api, errors } of requestFigures.all()) {
      for (const [code, count] of errors) sample(labelText({ api, error: errorName(code) }), count)
    }
  })
  collectors.histograms(spec.latency, (write) => {
    for (const { name, latency } of requestFigures.all()) write(ofApi.of(name), latency)
  })
  collectors.histograms(spec.phases, (write) => {
    for (const figures of requestFigures.all()) {
      for (const phase of phases) {
        const distribution: Distribution = figures[phase]
        if (distribution.count > 0) write(labelText({ api: figures.name, phase }), distribution)
      }
    }
  })
  collectors.value(spec.pending, () => {
    let pending = 0
    for (const { pendingRequests } of server.connections) pending += pendingRequests
    return pending
  })
  collectors.value(spec.waitingFetches, () => requestFigures.waitingFetches)
  collectors.samples(spec.purgatory, (sample) => {
    sample(labelText({ delayedoperation: 'Produce' }), replicas.waitingAppends)
    sample(labelText({ delayedoperation: 'Fetch' }), requestFigures.waitingFetches)
  })
  collectors.value(spec.transactionalAppends, () => transactionalAppends.waiting)
  collectors.samples(spec.followed, (sample) => {
    for (const [api, count] of followedRequests.counts) sample(ofApi.of(api), count)
  })
  collectors.value(spec.fetchSessions, () => fetchSessions.count)
  collectors.value(spec.fetchSessionPartitions, () => fetchSessions.partitionCount)
  collectors.value(spec.fetchSessionEvictions, () => fetchSessions.evictions)
}
