export const run = (shelf) => shelf();
