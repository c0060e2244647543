// The panel while no span is selected: the services of the trace, and what is odd about it.
import { serviceColor } from '../lib/colors.ts';
import { formatCount, formatDuration, plural } from '../lib/format.ts';
import { IconError } from '../shell/icons.tsx';
import classes from './panel.module.css';
import type { TraceFigures } from './summary.ts';

interface OverviewProps {
  figures: TraceFigures;
  onFind: (service: string) => void;
}

export function Overview({ figures, onFind }: OverviewProps) {
  const total = figures.services.reduce((sum, service) => sum + service.selfNs, 0);
  const oddities = [
    figures.orphans && `${plural(figures.orphans, 'span')} whose parent is not in the trace`,
    figures.cycles && `${plural(figures.cycles, 'loop')} of parents, opened at the earliest span`,
    figures.duplicates && `${plural(figures.duplicates, 'span')} with an id that another span has`,
    figures.late && `${plural(figures.late, 'span')} that started after the parent or the root had ended`,
  ].filter(Boolean);
  return (
    <div className={classes.span}>
      <p className={classes.hint}>
        Select a span for its attributes, events and logs. <kbd>j</kbd> <kbd>k</kbd> move, <kbd>?</kbd> lists
        all keys.
      </p>
      {oddities.length > 0 && (
        <ul className={classes.oddities}>
          {oddities.map((text) => (
            <li key={String(text)}>{text}</li>
          ))}
        </ul>
      )}
      <table className={classes.services}>
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col">Spans</th>
            <th scope="col">Errors</th>
            <th scope="col">Self time</th>
          </tr>
        </thead>
        <tbody>
          {figures.services.map((service) => (
            <tr key={service.name}>
              <td>
                <button
                  type="button"
                  className={classes.link}
                  onClick={() => onFind(service.name)}
                  title="Find its spans"
                >
                  <i className={classes.dot} style={{ background: serviceColor(service.name) }} />
                  {service.name}
                </button>
              </td>
              <td>{formatCount(service.spans)}</td>
              <td>
                {service.errors > 0 && (
                  <span className={classes.errorCount}>
                    <IconError size={12} title="" /> {formatCount(service.errors)}
                  </span>
                )}
              </td>
              <td>
                {formatDuration(service.selfNs)}
                <span className={classes.share} aria-hidden="true">
                  <i
                    style={{
                      width: `${total > 0 ? (service.selfNs / total) * 100 : 0}%`,
                      background: serviceColor(service.name),
                    }}
                  />
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
