// A cycle: each of the two imports the other.
import { shelf } from "./shelf.js";

export const ladder = () => shelf;
