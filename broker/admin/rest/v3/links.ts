// Addresses and names of resources in responses: each resource has its address (`self`), its name
// (`resource_name`), and addresses of related resources (`related`).

import type { FastifyRequest } from 'fastify'
import type { AdminContext } from '../adminContext.ts'
import { baseUrl } from '../paging.ts'
import { RestError } from '../restError.ts'

/** Path segments below the cluster, not encoded: `['topics', 'orders', 'partitions', 0]`. */
export type ResourcePath = readonly (string | number)[]

/** Singular names of collections in resource names. */
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

  /** `base` is the URL by which the client reached this server, such as `http://127.0.0.1:8080`. */
  constructor(base: string, clusterId: string) {
    this.clusterId = clusterId
    // `origin` omits the default port.
    this.#base = new URL(base).origin
  }

  url(...path: ResourcePath): string {
    return [`${this.#base}/v3/clusters`, ...encoded([this.clusterId, ...path])].join('/')
  }

  related(...path: ResourcePath): { related: string } {
    return { related: this.url(...path) }
  }

  /** Metadata of the resource at this path. */
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

/** Links below the cluster of the path; fails with 404 if it is another cluster. */
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
    `this server does not administer cluster ${shortened(asked)}`,
    `use cluster ${clusterId}, as listed by GET /v3/clusters`,
  )
}

/** Truncates long names, so that messages stay readable. */
export function shortened(name: string): string {
  return name.length <= 100 ? name : `${name.slice(0, 100)}…`
}

function encoded(path: ResourcePath): string[] {
  return path.map((word) => encodeURIComponent(word))
}
