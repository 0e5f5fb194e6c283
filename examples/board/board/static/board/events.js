// Server-Sent Events, read by hand. `new EventSource("/board/")` does the same in one line, reconnection included; this
// page has its own back-off, and shows what goes over the wire.

// Yields { event, data, id } for each event, and {} for a comment, which the proxy sends to show it is there.
export async function* readEvents(body) {
  let rest = "", fields = {};
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part; !(part = await reader.read()).done;) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (fields.data !== undefined) yield { event: "message", ...fields };
        fields = {};
      } else if (line.startsWith(":")) {
        yield {};
      } else {
        const [, name, value] = line.match(/^([^:]*):? ?(.*)$/);
        fields[name] = name === "data" && "data" in fields ? fields.data + "\n" + value : value;
      }
    }
  }
}
