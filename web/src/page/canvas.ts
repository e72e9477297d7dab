/** A canvas of the screen's own resolution, and the page's colours. */

export interface Surface {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
  colour(name: string): string;
}

/** Return a canvas ready to be drawn, cleared, in CSS pixels. */
export function surface(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  scale: number,
): Surface {
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d")!;
  context.scale(scale, scale);
  context.font = "13px system-ui, sans-serif";
  const styles = getComputedStyle(document.documentElement);
  return { context, width, height, colour: (name) => styles.getPropertyValue(name).trim() };
}

/** Return a canvas that fills its parent, ready to be drawn. */
export function fill(canvas: HTMLCanvasElement): Surface {
  const { clientWidth, clientHeight } = canvas.parentElement!;
  return surface(canvas, clientWidth, clientHeight, window.devicePixelRatio || 1);
}

/** Return a function that draws soon: before the next frame, and at most every `pause` ms. */
export function paced(draw: () => void, pause: number): () => void {
  let isDue = false;
  let last = -Infinity;
  return () => {
    if (isDue) return;
    isDue = true;
    const frame = () =>
      requestAnimationFrame((now) => {
        isDue = false;
        last = now;
        draw();
      });
    const wait = last + pause - performance.now();
    if (wait > 0) setTimeout(frame, wait);
    else frame();
  };
}
