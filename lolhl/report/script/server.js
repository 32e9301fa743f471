// Requests to the server that the page comes from, if it comes from one.

/** Sends JSON and returns what comes back. Throws an Error with the server's line and its status. */
async function ask(method, address, body = undefined, options = {}) {
  const headers = { 'Content-Type': 'application/json', 'X-Lolhl-Review': '1' };
  const response = await fetch(address, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), ...options });
  if (!response.ok) throw Object.assign(new Error((await response.text()).trim()), { status: response.status });
  return response.json();
}
