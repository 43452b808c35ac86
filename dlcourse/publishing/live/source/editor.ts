// The editor of a cell: CodeMirror 6 with Python, in the colours that Pygments gives the page's other code.
import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { pythonLanguage } from '@codemirror/lang-python';
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';
import { tagHighlighter, tags as t } from '@lezer/highlight';

export interface EditorOptions {
  source: string;
  /** How screen readers call it. */
  label: string;
  /** The id of an element that tells the keys. */
  keys: string;
  onChange(source: string): void;
  /** Ctrl+Enter, or Shift+Enter, which also goes on to the next cell. */
  onRun(goOn: boolean): void;
}

export interface Editor {
  readonly element: HTMLElement;
  get(): string;
  set(source: string): void;
  focus(): void;
}

/** Pygments' short class names, which the page's style sheets colour for light and dark. */
const pygments = tagHighlighter([
  { tag: [t.keyword, t.controlKeyword, t.definitionKeyword, t.moduleKeyword], class: 'k' },
  { tag: t.operatorKeyword, class: 'ow' },
  { tag: [t.bool, t.null], class: 'kc' },
  { tag: [t.operator, t.arithmeticOperator, t.compareOperator, t.definitionOperator], class: 'o' },
  { tag: [t.punctuation, t.separator, t.paren, t.squareBracket, t.brace], class: 'p' },
  { tag: t.comment, class: 'c1' },
  { tag: [t.string, t.special(t.string)], class: 's2' },
  { tag: t.escape, class: 'se' },
  { tag: t.number, class: 'mf' },
  { tag: t.meta, class: 'nd' },
  { tag: t.function(t.definition(t.variableName)), class: 'nf' },
  { tag: t.definition(t.className), class: 'nc' },
  { tag: t.self, class: 'bp' },
  { tag: t.variableName, class: 'n' },
]);

export function makeEditor(options: EditorOptions): Editor {
  const element = document.createElement('div');
  element.className = 'dl-editor highlight';
  const run = (goOn: boolean) => () => {
    options.onRun(goOn);
    return true;
  };
  const view = new EditorView({
    parent: element,
    state: EditorState.create({
      doc: options.source,
      extensions: [
        Prec.highest(
          keymap.of([
            { key: 'Shift-Enter', run: run(true) },
            { key: 'Mod-Enter', run: run(false) },
            { key: 'Ctrl-Enter', run: run(false) },
            { key: 'Escape', run: leavesByTab },
          ]),
        ),
        keymap.of([...closeBracketsKeymap, ...historyKeymap, indentWithTab, ...defaultKeymap]),
        history(),
        pythonLanguage,
        indentUnit.of('    '),
        EditorState.tabSize.of(4),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        syntaxHighlighting(pygments),
        EditorView.contentAttributes.of({
          'aria-label': options.label,
          'aria-describedby': options.keys,
          // Can be reached without it, but not every browser counts it among what scrolls by the keyboard.
          tabindex: '0',
          autocapitalize: 'off',
          autocorrect: 'off',
          spellcheck: 'false',
        }),
        EditorView.domEventHandlers({ blur: (_, view) => view.setTabFocusMode(false) }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    element,
    get: () => view.state.doc.toString(),
    set(source) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: source } });
    },
    focus: () => view.focus(),
  };
}

/** Lets Tab move on until the editor is left; by itself CodeMirror would allow two seconds. */
function leavesByTab(view: EditorView): boolean {
  view.setTabFocusMode(true);
  return false;
}
