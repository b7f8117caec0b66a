import { ladder } from "./ladder.js";

export const shelf = () => ladder;
