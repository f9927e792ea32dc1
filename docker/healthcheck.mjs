// Ends with 0 if the server is ready.

const port = process.env.WEIGHTROOM_PORT ?? '8080';
const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
process.exitCode = answer?.ok ? 0 : 1;
