/** Actions: validated input, failures, mapped exceptions, and many operations in one call. */
import { expressBatch } from "@multistatus/adapter-express"
import { failure, resource } from "@multistatus/core"
import express, { type Request } from "express"
import * as z from "zod"

class OutOfStock extends Error {}

interface Order {
  readonly product: string
  readonly quantity: number
  readonly owner: string
}

const stock = new Map([["pen", 10]])
const orders = new Map<string, Order>()

const takeFromStock = (product: string, quantity: number) => {
  const left = stock.get(product)
  if (left === undefined) throw new Error(`The table of products has no row ${product}`)
  if (left < quantity) throw new OutOfStock(`Only ${left} left`)
  stock.set(product, left - quantity)
}

const ordersResource = resource("orders", {
  create: {
    input: z.object({ product: z.string(), quantity: z.int().min(1).default(1) }),
    run: ({ product, quantity }, { tenant = "" }) => {
      takeFromStock(product, quantity)
      const id = crypto.randomUUID()
      orders.set(id, { product, quantity, owner: tenant })
      return { id, product, quantity }
    },
  },
  cancel: {
    runMany: (items, { tenant }) =>
      items.map(({ id }) => {
        if (orders.get(id)?.owner !== tenant) return failure("NOT_FOUND", `Order ${id} not found`)
        orders.delete(id)
        return { id }
      }),
  },
})

const app = express()
const batch = expressBatch({
  tenant: (request: Request) => request.get("x-api-key"),
  mapError: (error) =>
    error instanceof OutOfStock
      ? failure("OUT_OF_STOCK", error.message, { status: 409, field: "quantity", retryable: true, retryAfter: 3600 })
      : undefined,
  onUnexpected: (error, { endpoint, operation }) => console.error(endpoint, operation?.index, error),
})
app.post("/orders/batch", batch.operations(ordersResource, { data: true }))
app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
