// A page that is not there still has the frame around it, so that the way back is one key away.
import { start } from "../shell.js";

start();
