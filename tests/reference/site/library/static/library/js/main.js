import { shelf } from "./shelf.js";
export { ladder } from "./ladder.js";

import("./late.js").then((late) => late.run(shelf));
document.body.dataset.cover = new URL("../img/cover.svg", import.meta.url);
