import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

/**
 * Stryker's ignorer of texts for people: all that is in the arguments of an error or of a check (`checkNumber("infoNCE: temperature", ...)`
 * keeps its bounds), and every text with a space. Tests look for the argument's name in an error, not for its wording.
 */
const ignorer = {
  shouldIgnore(path) {
    if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined;
    const { node, parent } = path;
    const texts = path.isStringLiteral() ? [node.value] : node.quasis.map(({ value }) => value.raw);
    if (texts.some((text) => text.includes(" "))) return "a text for people";
    if (path.isTemplateLiteral() && path.findParent((above) => above.isThrowStatement())) return "a message";
    const isFirstArgument = parent.arguments?.[0] === node;
    const callee = isFirstArgument ? parent.callee.name : undefined;
    if (path.parentPath.isNewExpression() && /Error$/.test(callee)) return "a message";
    if (path.parentPath.isCallExpression() && /^(check|read|require)[A-Z]/.test(callee))
      return "the caller's name";
    return undefined;
  },
};

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, "messages", ignorer)];
