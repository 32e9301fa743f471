// Cloudflare's simulator of R2 with one bucket, as the JSON in the first argument says.
const { Miniflare, convertV4MiniflareOptions } = require("miniflare");

const { port, folder, bucket, accessKeyId, secretAccessKey, tls } = JSON.parse(process.argv[2]);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port,
    ...(tls && { https: true, httpsKey: tls.key, httpsCert: tls.cert }),
    modules: true,
    script: "export default { fetch() { return new Response('ok') } }",
    compatibilityDate: "2026-01-01",
    r2Buckets: { B: { id: bucket, s3Credentials: { accessKeyId, secretAccessKey } } },
    resourcePersistencePath: folder,
  }),
);
process.on("SIGTERM", () => miniflare.dispose().finally(() => process.exit()));
miniflare.ready.catch((error) => {
  console.error(error);
  process.exit(1);
});
