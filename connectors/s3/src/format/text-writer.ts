import type { Value } from "@headrace/sdk";
import type { Layout, ObjectWriter } from "./sink-format.ts";

/** Texts are joined up to this many characters before they become bytes. */
const CHUNK = 64 * 1024;

/** The layout of objects that are texts one behind the other, after `head`. */
export function textLayout(head: string): Layout {
  return {
    open(): ObjectWriter {
      let text = head;
      const take = () => {
        const bytes = text === "" ? null : Buffer.from(text);
        text = "";
        return bytes;
      };
      return {
        add(content: Value) {
          if (typeof content !== "string") throw new Error("a text writer takes texts");
          text += content;
          return text.length < CHUNK ? null : take();
        },
        end: take,
      };
    },
  };
}
