// From counts to grey: one table of colours for all counts, made anew when the window changes.

// A window is {lower, upper, curve, inverted}: counts, "linear" or "sqrt", black bone or white bone.
export function greyOf(counts, {lower, upper, curve, inverted}) {
  let t = (counts - lower) / (upper - lower);
  t = Math.min(1, Math.max(0, t));
  if (curve === "sqrt") t = Math.sqrt(t);
  return Math.floor(255 * (inverted ? 1 - t : t) + 0.5);
}

// Colours of 0 ... highest counts as the canvas keeps them: red, green, blue, opaque.
export function colourTable(highest, view) {
  const table = new Uint32Array(highest + 1);
  const bytes = new Uint8ClampedArray(table.buffer); // so the byte order of the machine does not matter
  for (let counts = 0; counts <= highest; counts++) {
    const grey = greyOf(counts, view);
    bytes[4 * counts] = bytes[4 * counts + 1] = bytes[4 * counts + 2] = grey;
    bytes[4 * counts + 3] = 255;
  }
  return table;
}

export function paint(canvas, counts, table) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let place = 0; place < pixels.length; place++) pixels[place] = table[counts[place]];
  context.putImageData(picture, 0, 0);
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

// Little-endian 16-bit numbers, whatever the machine.
export function readCounts(buffer, start, length) {
  if (LITTLE_ENDIAN) return new Uint16Array(buffer, 2 * start, length);
  const data = new DataView(buffer, 2 * start, 2 * length);
  const counts = new Uint16Array(length);
  for (let place = 0; place < length; place++) counts[place] = data.getUint16(2 * place, true);
  return counts;
}
