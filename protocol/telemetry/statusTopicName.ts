// The name of the topic of statuses, for those who only ask for it: what a status is takes long to load.

/** One partition; programs produce to it about once a second. */
export const statusTopic = '__millrace_status'
