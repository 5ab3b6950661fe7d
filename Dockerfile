# Longhaul with its worker as the default command; `longhaul` is on the PATH for everything else.
#
# No Docker engine was at hand when this was written: each step was run by hand on Debian with the same commands, the
# image itself was never built by the project. docs/operations.md says what was tried.

FROM node:24.11.1-bookworm-slim AS build
WORKDIR /app
# Python fetches DuckDB's extension for S3, so that no container has to at its first conversion.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3 python3-pip python3-venv \
  && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY tools ./tools
COPY src ./src
RUN npm run build \
  && node --eval "import('/app/dist/programs/httpfs.js').then(({ locateHttpfs }) => locateHttpfs()).then(console.log)" \
  && npm prune --omit=dev --ignore-scripts

FROM node:24.11.1-bookworm-slim
# Temporal's SDK and DuckDB trust what the system trusts, and the slim image trusts no authority.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates tini \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/package.json /app/package.json
COPY --from=build /app/tools/versions.json /app/tools/versions.json
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/.tools /app/.tools
COPY --from=build /app/dist /app/dist
# Settings and datasets.yaml are looked for where a command runs; a volume on `data` keeps a lake on disk.
RUN ln -s /app/dist/cli/main.js /usr/local/bin/longhaul \
  && mkdir -p /lake/data \
  && chown -R node:node /lake
USER node
WORKDIR /lake
ENV NODE_ENV=production \
  WORKER_HEALTH_ADDRESS=127.0.0.1:8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "--eval", "fetch('http://127.0.0.1:8081/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The first SIGTERM gives work under way its grace time: wait longer than WORKER_GRACE_SECONDS before a SIGKILL.
ENTRYPOINT ["tini", "--"]
CMD ["longhaul", "worker"]
