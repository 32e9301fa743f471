// Times as label files write them, and as people read them.

const pad = (number, width = 2) => String(number).padStart(width, '0');

/** h:mm:ss[.fff], as label files have it. */
function format(seconds) {
  const millis = Math.round(seconds * 1000);
  const fraction = millis % 1000;
  const whole = Math.floor(millis / 1000);
  return `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}${fraction ? '.' + pad(fraction, 3) : ''}`;
}

const short = (seconds) => format(Math.floor(seconds));

function length(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${pad(whole % 60)} s` : `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole / 60) % 60)} min`;
}

/** Seconds of h:mm:ss[.fff], m:ss or plain seconds; NaN for anything else. */
function parse(text) {
  const match = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)$/.exec(text.trim());
  if (!match) return NaN;
  const [, hours, minutes, seconds] = match;
  if ((minutes !== undefined && Number(seconds) >= 60) || (hours !== undefined && Number(minutes) >= 60)) return NaN;
  return Number(hours || 0) * 3600 + Number(minutes || 0) * 60 + Number(seconds);
}

function twitch(seconds) {
  const at = Math.max(0, Math.floor(seconds + data.offset));
  return `https://www.twitch.tv/videos/${encodeURIComponent(data.twitch_id)}?t=${Math.floor(at / 3600)}h${Math.floor(at / 60) % 60}m${at % 60}s`;
}
