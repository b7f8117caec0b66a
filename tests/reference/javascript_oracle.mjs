// Prints what acorn finds in each file named on standard input, as one line of JSON each:
// [what, where it stands, what it names], positions in UTF-16 units.
import fs from "node:fs";
import { parse } from "acorn";
import { full } from "acorn-walk";

const DECLARATIONS = ["ImportDeclaration", "ExportAllDeclaration", "ExportNamedDeclaration"];

function plain(node) {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && !node.expressions.length) return node.quasis[0].value.cooked;
  return undefined;
}

function isModuleUrl(node) {
  return node?.type === "MemberExpression" && node.object.type === "MetaProperty" && node.property.name === "url";
}

function isResolve(callee) {
  return callee.type === "MemberExpression" && callee.object.type === "MetaProperty" && callee.property.name === "resolve";
}

function isImportScripts(callee) {
  const isGlobal = callee.type === "MemberExpression" && ["self", "globalThis"].includes(callee.object.name);
  return (isGlobal ? callee.property : callee).name === "importScripts";
}

function read(text) {
  let failed;
  for (const sourceType of ["module", "script"]) {
    try {
      return parse(text, { ecmaVersion: "latest", sourceType, allowHashBang: true, allowReturnOutsideFunction: true });
    } catch (error) {
      failed = error;
    }
  }
  throw failed;
}

function finds(tree) {
  const found = [];
  const add = (what, node, whole) => {
    const name = plain(node);
    if (name === undefined) found.push(["computed", whole.start, ""]);
    else found.push([what, node.end, name]);
    return name !== undefined;
  };
  full(tree, (node) => {
    if (DECLARATIONS.includes(node.type) && node.source) add("module", node.source, node);
    else if (node.type === "ImportExpression") {
      // Judged by itself.
      if (node.source.type !== "MemberExpression" || node.source.object.callee?.name !== "URL")
        add("module", node.source, node);
    } else if (node.type === "NewExpression" && node.callee.name === "URL" && node.arguments.length === 2) {
      if (isModuleUrl(node.arguments[1])) add("file", node.arguments[0], node);
    } else if (node.type === "NewExpression" && /^(Shared)?Worker$/.test(node.callee.name ?? "")) {
      if (plain(node.arguments[0])) add("worker", node.arguments[0], node);
    } else if (node.type === "CallExpression" && isResolve(node.callee)) {
      add("module", node.arguments[0], node);
    } else if (node.type === "CallExpression" && isImportScripts(node.callee)) {
      node.arguments.every((argument) => add("file", argument, node));
    }
  });
  return found;
}

for (const file of fs.readFileSync(0, "utf8").split("\n")) {
  console.log(JSON.stringify(finds(read(fs.readFileSync(file, "utf8")))));
}
