import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

/**
 * Stryker's ignorer of what no result depends on:
 * - texts for people: an error's, a check's first argument (`checkNumber("infoNCE: temperature", ...)` keeps its bounds), and every text
 *   with a space. Tests look for the argument's name in an error, not for its wording.
 * - the `true` beside each name in the lists of `checkOptions`, which only the type looks at.
 */
const ignorer = {
  shouldIgnore(path) {
    if (path.isBooleanLiteral()) return isInListOfNames(path) ? "an option's name" : undefined;
    if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined;
    const { node, parent } = path;
    const texts = path.isStringLiteral() ? [node.value] : node.quasis.map(({ value }) => value.raw);
    if (texts.some((text) => text.includes(" "))) return "a text for people";
    if (path.isTemplateLiteral() && path.findParent((above) => above.isThrowStatement())) return "a message";
    const callee = parent.arguments?.[0] === node ? parent.callee.name : undefined;
    if (path.parentPath.isNewExpression() && /Error$/.test(callee)) return "a message";
    if (path.parentPath.isCallExpression() && /^(check|read|require)[A-Z]/.test(callee))
      return "the caller's name";
    return undefined;
  },
};

function isInListOfNames(path) {
  if (!path.parentPath.isObjectProperty()) return false;
  let list = path.parentPath.parentPath;
  while (!list.parentPath.isCallExpression() && !list.parentPath.isVariableDeclarator()) {
    if (list.isStatement() || list.parentPath.isProgram()) return false;
    list = list.parentPath;
  }
  const above = list.parent;
  return above.callee?.name === "checkOptions" || /names$/i.test(above.id?.name ?? "");
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, "without-effect", ignorer)];
