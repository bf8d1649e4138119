// The container files of docs/deploy/container, as far as they can be checked without a container:
// the image of the Dockerfile, and that the compose file, Prometheus and the image agree on names,
// ports and paths.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { execForm, instructionsOf, lastStage } from './dockerfile.ts'

const root = join(import.meta.dirname, '../..')
const folder = join(root, 'docs/deploy/container')
const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const instructions = instructionsOf(read('Dockerfile'))
const image = lastStage(instructions)
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

function of(name: string): string {
  const [found, ...others] = image.filter((instruction) => instruction.name === name)
  if (found === undefined || others.length > 0) throw new Error(`${name} is not there once`)
  return found.text
}

describe('the Dockerfile', () => {
  test('pins its images to the version of Node that is tested', () => {
    const from = instructions.filter(({ name }) => name === 'FROM').map(({ text }) => text)
    const { node } = manifest.devDependencies
    expect(from).toEqual([`node:${node}-bookworm-slim AS install`, `node:${node}-bookworm-slim`])
  })

  test('runs as a numeric user id other than root', () => {
    expect(of('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  })

  test('starts without a shell, so that the signal to stop reaches the program', () => {
    expect(execForm(of('ENTRYPOINT'))).toEqual(['/opt/millrace/bin/millrace'])
    expect(execForm(of('CMD'))[0]).toBe('broker')
    expect(of('STOPSIGNAL')).toBe('SIGTERM')
  })

  test('checks health with a program that the image has', () => {
    const [program, option, code] = execForm(of('HEALTHCHECK'))
    expect([program, option]).toEqual(['node', '-e'])
    expect(code).toContain('http://127.0.0.1:9404/healthy')
  })

  test('copies exactly the files that the ignore file admits', () => {
    const kept = read('Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
    const copied = instructions
      .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from'))
      .map(({ text }) => `!${text.split(' ')[0]}`)
    expect(kept.sort()).toEqual(copied.sort())
  })
})

interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { condition: string }>>
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
}

describe('the compose file', () => {
  const compose = parse(read('compose.yaml'), { merge: true }) as {
    services: Record<string, Service>
    volumes: Record<string, null>
  }
  const services = Object.entries(compose.services)

  test('has broker, agent, job and Prometheus', () => {
    expect(Object.keys(compose.services)).toEqual(['broker', 'agent', 'job', 'prometheus'])
  })

  test.each(services)('%s is pinned, and reachable from this host only', (_name, service) => {
    expect(service.image).toMatch(/:v?\d+\.\d+\.\d+$/)
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    for (const name of Object.keys(service.depends_on ?? {})) {
      expect(compose.services).toHaveProperty(name)
    }
    for (const volume of service.volumes ?? []) {
      const [from] = volume.split(':') as [string]
      if (!from.startsWith('.')) expect(compose.volumes).toHaveProperty(from)
    }
  })

  test('the image has the version of the package, and a read-only root file system', () => {
    for (const [name, service] of services) {
      if (name === 'prometheus') continue
      expect(service.image).toBe(`millrace:${manifest.version}`)
      expect(service.read_only).toBe(true)
      expect(service.cap_drop).toEqual(['ALL'])
      // The directory that the image declares as written is on a volume.
      expect(service.volumes?.some((volume) => volume.endsWith(`:${of('VOLUME')}`))).toBe(true)
    }
  })

  test('all programs have health checks and metrics at the same port', () => {
    const { scrape_configs: jobs } = parse(read('prometheus.yaml'))
    expect(jobs[0].static_configs[0].targets).toEqual(['broker:9404', 'agent:9404', 'job:9404'])
    expect(of('EXPOSE')).toContain('9404')
    for (const name of ['agent', 'job']) {
      expect(compose.services[name]!.command).toContain('--listen=0.0.0.0:9404')
    }
  })

  test('agent and job find the broker by the name that it advertises', () => {
    const advertised = /INTERNAL:\/\/([^,]+)$/m.exec(
      /^advertised\.listeners=(.*?),/m.exec(read('server.properties'))![1]!,
    )![1]!
    expect(compose.services.job!.command).toContain(`--bootstrap=${advertised}`)
    expect(read('compose.yaml')).toContain(`MILLRACE_BOOTSTRAP: ${advertised}`)
  })

  test('the files that the compose file needs are in the repository', () => {
    for (const file of ['Dockerfile', 'server.properties', 'prometheus.yaml']) {
      expect(existsSync(join(folder, file))).toBe(true)
    }
  })
})
