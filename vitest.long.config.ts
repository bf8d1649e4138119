import { defineConfig } from 'vitest/config'

/** Tests that take minutes: `npm run test:long`. One at a time, each with the whole machine. */
export default defineConfig({
  test: {
    include: ['test/**/*.long.ts'],
    maxWorkers: 1,
    fileParallelism: false,
  },
})
