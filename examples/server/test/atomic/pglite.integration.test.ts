import { scenarios } from "./scenarios.ts"

scenarios("pglite", ["fastify"])
