// Memory limits of a job's threads. By default V8 lets the young generation of each thread grow to
// 134 MB and keeps it, however little is in use: with a driver and executors, most of a job's
// memory. With this limit it is 34 MB.

/** Three times the semi-space: 16 MB, as in Node before version 22. */
export const youngGenerationMb = 48
