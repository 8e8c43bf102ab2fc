/** Light, dark, or as the reader's system has it; kept for all tabs. */
import { useEffect, useState } from 'preact/hooks';

const KEPT = 'holdfast-theme';
const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const kept = (): Theme => THEMES.find((theme) => theme === localStorage.getItem(KEPT)) ?? 'system';

function show(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

show(kept());

/** `seen` changes whenever the colours do. */
export function useTheme(): { readonly theme: Theme; readonly seen: string; readonly next: () => void } {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const [theme, setTheme] = useState(kept);
  const [isDark, setDark] = useState(dark.matches);
  useEffect(() => {
    const other = () => {
      show(kept());
      setTheme(kept());
    };
    const system = () => setDark(dark.matches);
    addEventListener('storage', other);
    dark.addEventListener('change', system);
    return () => {
      removeEventListener('storage', other);
      dark.removeEventListener('change', system);
    };
  }, []);
  const next = () => {
    const following = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
    localStorage.setItem(KEPT, following);
    show(following);
    setTheme(following);
  };
  return { theme, seen: `${theme} ${isDark}`, next };
}
