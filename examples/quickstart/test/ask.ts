/** A response. */
export interface Asked {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Sends a POST request with JSON, or a GET request without a body. */
export const ask = async (
  url: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Asked> => {
  const sent = {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  }
  const response = await fetch(url, body === undefined ? { headers } : sent)
  return { status: response.status, headers: response.headers, body: await response.json() }
}
