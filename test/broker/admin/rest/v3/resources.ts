// Types of the responses of Confluent's paths, for tests.

/** The origin of the requests of the fixture, with which links in answers start. */
export const host = 'http://localhost'

export interface Resource {
  readonly kind: string
  readonly metadata: { readonly self: string; readonly resource_name: string }
  readonly [field: string]: unknown
}

export interface List {
  readonly kind: string
  readonly metadata: { readonly self: string; readonly next: string | null }
  readonly data: readonly Resource[]
}
