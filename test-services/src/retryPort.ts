/** Starting a server again when its port was taken between finding and using it. */

/** Runs an attempt up to three times and fails with the last attempt's error. */
export const retryPort = async <A>(attempt: () => Promise<A>): Promise<A> => {
  for (let left = 2; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      const taken = error instanceof Error && /address already in use|could not create .*socket/i.test(error.message)
      if (!taken || left === 0) throw error
    }
  }
}
