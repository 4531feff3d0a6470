/** Under which keys jobs are kept. */

/** Names of the keys of jobs that begin with a prefix. */
export interface JobKeys {
  /** What belongs to one job; on a cluster all of it is in one slot, that of its id. */
  readonly ofJob: (id: string) => ReadonlyArray<string>
  /** The same, and what a chunk keeps before it ends. */
  readonly ofChunk: (id: string, chunk: number) => ReadonlyArray<string>
  /** What spans jobs: how much waits, and which jobs are to be looked at when. In a slot of its own. */
  readonly ofAll: {
    readonly counts: string
    readonly jobs: string
    readonly open: string
    readonly expiry: string
    readonly tombs: string
    readonly names: string
  }
}

export const makeJobKeys = (prefix: string): JobKeys => {
  if (/[{}]/.test(prefix)) throw new Error(`A prefix holds no braces, unlike ${JSON.stringify(prefix)}`)
  const ofJob = (id: string): ReadonlyArray<string> => {
    const head = `${prefix}:job:{${id}}`
    return [head, ...["chunks", "states", "payloads", "results", "silent"].map((name) => `${head}:${name}`)]
  }
  const all = `${prefix}:{jobs}`
  return {
    ofJob,
    ofChunk: (id, chunk) => {
      const keys = ofJob(id)
      return [...keys, `${keys[0]}:parts:${chunk}`]
    },
    ofAll: {
      counts: `${all}:counts`,
      jobs: `${all}:jobs`,
      open: `${all}:open`,
      expiry: `${all}:expiry`,
      tombs: `${all}:tombs`,
      names: `${all}:names`,
    },
  }
}
