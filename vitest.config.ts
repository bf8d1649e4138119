import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores, and tests that start servers: a worker per core, never more.
    // Jobs are imported by Node itself: its hooks see what a job consists of.
    server: { deps: { external: [/engine\/contract\/nativeImport\.ts/] } },
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
