// Addresses and names of what a cluster has, as answers give them: each resource says where it is (`self`), what
// it is called (`resource_name`), and where to find what belongs to it (`related`).

import type { FastifyRequest } from 'fastify'
import type { AdminContext } from '../adminContext.ts'
import { baseUrl } from '../paging.ts'
import { RestError } from '../restError.ts'

/** Words of a path below the cluster, not encoded: `['topics', 'orders', 'partitions', 0]`. */
export type ResourcePath = readonly (string | number)[]

/** What resource names call the members of a collection. */
const singular: Readonly<Record<string, string>> = {
  brokers: 'broker',
  topics: 'topic',
  partitions: 'partition',
  replicas: 'replica',
  configs: 'config',
  'broker-configs': 'broker-config',
  'consumer-groups': 'consumer-group',
  consumers: 'consumer',
  assignments: 'assignment',
  lags: 'lag',
}

export class Links {
  readonly clusterId: string
  readonly #base: string

  /** `base`: where the client found this server, such as `http://127.0.0.1:8080`. */
  constructor(base: string, clusterId: string) {
    this.clusterId = clusterId
    // Without the port that goes without saying.
    this.#base = new URL(base).origin
  }

  url(...path: ResourcePath): string {
    return [`${this.#base}/v3/clusters`, ...encoded([this.clusterId, ...path])].join('/')
  }

  related(...path: ResourcePath): { related: string } {
    return { related: this.url(...path) }
  }

  /** Of the resource at this path. */
  metadata(...path: ResourcePath): { self: string; resource_name: string } {
    return { self: this.url(...path), resource_name: this.#resourceName(path) }
  }

  #resourceName(path: ResourcePath): string {
    const parts = [`kafka=${encodeURIComponent(this.clusterId)}`]
    for (let at = 0; at < path.length; at += 2) {
      const [collection, name] = encoded(path.slice(at, at + 2))
      parts.push(name === undefined ? collection! : `${singular[collection!]}=${name}`)
    }
    return `crn:///${parts.join('/')}`
  }
}

/** Links below the cluster that the path names; fails as 404 when it is another one. */
export async function linksOf(
  { admin }: AdminContext,
  request: FastifyRequest,
  { cluster_id: asked }: { readonly cluster_id: string },
): Promise<Links> {
  const { clusterId } = await admin.describeCluster()
  if (asked === clusterId) return new Links(baseUrl(request), clusterId)
  throw new RestError(
    404,
    'UNKNOWN_CLUSTER',
    `this server administers no cluster ${shortened(asked)}`,
    `use the cluster that it administers, ${clusterId}: GET /v3/clusters shows it`,
  )
}

/** Long names would make messages that nobody reads. */
export function shortened(name: string): string {
  return name.length <= 100 ? name : `${name.slice(0, 100)}…`
}

function encoded(path: ResourcePath): string[] {
  return path.map((word) => encodeURIComponent(word))
}
