// In the place of lodash/isEqual: Backbone brings one as good.
export { isEqual as default } from 'underscore';
