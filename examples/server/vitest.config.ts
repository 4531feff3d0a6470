import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    globalSetup: [
      "@multistatus/test-services/postgres",
      "@multistatus/test-services/mariadb",
      "@multistatus/test-services/redis",
      "@multistatus/test-services/redis-cluster",
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
