/** The names of the keys of jobs. */

/** The names of keys with one prefix. */
export interface JobKeys {
  /** The keys of one job. On a cluster all of them are in the slot of its id. */
  readonly ofJob: (id: string) => ReadonlyArray<string>
  /** The keys of one job, and the key of the parts of one chunk. */
  readonly ofChunk: (id: string, chunk: number) => ReadonlyArray<string>
  /** The keys that span jobs. They are in a slot of their own. */
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
  if (/[{}]/.test(prefix)) {
    throw new Error(
      `"prefix" must not contain braces, which Redis Cluster uses: remove them from ${JSON.stringify(prefix)}`,
    )
  }
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
