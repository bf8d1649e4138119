// The name of the status topic, separate from status.ts, which takes long to load.

/** One partition; each program produces to it about once a second. */
export const statusTopic = '__millrace_status'
