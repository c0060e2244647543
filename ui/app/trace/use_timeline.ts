// Pointer and wheel on the time line: drag zooms, Ctrl + wheel zooms around the pointer,
// Shift + wheel moves. The line under the pointer is moved without rendering anything.
import { type PointerEvent, type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { formatDuration } from '../lib/format.ts';
import { clampViewport, pan, type Viewport, zoomAround } from './viewport.ts';

const DRAG_MIN_PX = 5;
const WHEEL_ZOOM = 1.0015;

interface TimelineProps {
  scroller: RefObject<HTMLDivElement | null>;
  viewport: Viewport;
  treeWidth: number;
  durationNs: number;
  onViewport: (viewport: Viewport) => void;
}

export function useTimeline({ scroller, viewport, treeWidth, durationNs, onViewport }: TimelineProps) {
  const crosshairRef = useRef<HTMLElement>(null);
  const crosshairTextRef = useRef<HTMLSpanElement>(null);
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const dragged = useRef(false);
  const [height, setHeight] = useState(0);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller]);

  /** Pixels from the left edge of the time line, and its width. */
  const place = (clientX: number) => {
    const element = scroller.current;
    if (!element) return { x: 0, width: 1 };
    const left = element.getBoundingClientRect().left + treeWidth;
    return { x: clientX - left, width: Math.max(element.clientWidth - treeWidth, 1) };
  };
  const nsAt = (x: number, width: number) => viewport.from + (x / width) * (viewport.to - viewport.from);

  useWheel(scroller, (event) => {
    const { x, width } = place(event.clientX);
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const at = nsAt(Math.min(Math.max(x, 0), width), width);
      onViewport(zoomAround(viewport, at, WHEEL_ZOOM ** event.deltaY, durationNs));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const delta = event.deltaX || event.deltaY;
      onViewport(pan(viewport, (delta / width) * (viewport.to - viewport.from), durationNs));
    }
  });

  const showCrosshair = (x: number, width: number) => {
    const [line, text] = [crosshairRef.current, crosshairTextRef.current];
    if (!line || !text) return;
    const inside = x >= 0 && x <= width;
    line.style.display = inside ? 'block' : 'none';
    if (!inside) return;
    line.style.left = `${(x / width) * 100}%`;
    text.textContent = formatDuration(Math.round(nsAt(x, width)));
    text.dataset.side = x > width - 80 ? 'left' : 'right';
  };

  const handlers = {
    onPointerDown: (event: PointerEvent) => {
      dragged.current = false;
      const { x, width } = place(event.clientX);
      if (event.button === 0 && x >= 0 && x <= width) setDrag({ from: x, to: x });
    },
    onPointerMove: (event: PointerEvent) => {
      const { x, width } = place(event.clientX);
      showCrosshair(x, width);
      if (!drag) return;
      if (Math.abs(x - drag.from) >= DRAG_MIN_PX && !dragged.current) {
        dragged.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
      }
      setDrag({ ...drag, to: Math.min(Math.max(x, 0), width) });
    },
    onPointerUp: (event: PointerEvent) => {
      if (drag && dragged.current) {
        const { width } = place(event.clientX);
        const [from, to] = [drag.from, drag.to].sort((a, b) => a - b).map((x) => nsAt(x, width));
        onViewport(clampViewport({ from, to }, durationNs));
      }
      setDrag(undefined);
    },
    onPointerCancel: () => setDrag(undefined),
    onPointerLeave: () => showCrosshair(-1, 1),
    // The click that ends a drag selects nothing.
    onClickCapture: (event: { stopPropagation: () => void }) => {
      if (dragged.current) event.stopPropagation();
      dragged.current = false;
    },
  };
  const dragging = drag && Math.abs(drag.to - drag.from) >= DRAG_MIN_PX;
  const band = dragging
    ? { left: Math.min(drag.from, drag.to), width: Math.abs(drag.to - drag.from) }
    : undefined;
  return { handlers, crosshairRef, crosshairTextRef, band, height };
}

/** React's own wheel listeners are passive; zooming must keep the page from zooming too. */
function useWheel(target: RefObject<HTMLElement | null>, handler: (event: WheelEvent) => void): void {
  const latest = useRef(handler);
  latest.current = handler;
  useEffect(() => {
    const element = target.current;
    if (!element) return;
    const listener = (event: WheelEvent) => latest.current(event);
    element.addEventListener('wheel', listener, { passive: false });
    return () => element.removeEventListener('wheel', listener);
  }, [target]);
}
