// In the place of @lumino/widgets, from which ipywidgets need only these: its one bundle would bring menus and docks.
export { Layout } from './node_modules/@lumino/widgets/src/layout';
export { Panel } from './node_modules/@lumino/widgets/src/panel';
export { PanelLayout } from './node_modules/@lumino/widgets/src/panellayout';
export { TabBar } from './node_modules/@lumino/widgets/src/tabbar';
export { Widget } from './node_modules/@lumino/widgets/src/widget';
